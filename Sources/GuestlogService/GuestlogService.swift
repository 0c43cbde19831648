// SPDX-License-Identifier: Apache-2.0

// GuestlogService: the daemon as a whole. Reads the configuration, composes the modules, implements systemd's
// protocols, handles signals.
//
// Begin with `Daemon`. `Configuration` holds the checked settings of the YAML file; `ForegroundRun` is `guestlog run`.
