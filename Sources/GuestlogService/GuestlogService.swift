// SPDX-License-Identifier: Apache-2.0

// GuestlogService: the programs that run for long. It reads the configuration, composes the modules, implements systemd's
// protocols, and handles signals.
//
//     Daemon                  guestlog serve                                                    begin here
//       DaemonProcess         what the daemons have in common: signals, the watchdog, replacement by another image
//       APIListeners          the API's sockets; CertificateWatch reads its certificate again
//       LibvirtConsoles       the consoles of libvirt's running VMs, to be joined
//       Node/                 the VMs of a KubeVirt node: their folders, pods and logs
//       DaemonOutputs         the outputs, and the API's requests about them
//     Virtlogd                guestlog virtlogd: libvirt's log daemon; VirtlogdTakeOver exchanges it for virtlogd
//     WebhookDaemon           guestlog kubevirt webhook
//     Keeper                  guestlog keep: holds the descriptors while no daemon runs (KeptDescriptors)
//     Run/                    guestlog run (ForegroundRun): one VM, without a daemon
//     StoreImport             guestlog import: writes into the store, beside a daemon or without one
//     Configuration           the checked settings of the YAML file: a file for each section
//       ConfigurationReader   typed values with file, line and key; KeysByKind says which keys a kind of mapping has
//     ReplacementCheck        asks the next program whether it can begin
//     DaemonFolders, DefaultPaths, VirtlogdPaths    where files are
