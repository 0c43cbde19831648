// GuestlogService: the daemon as a whole. Reads the configuration, wires the rooms, speaks with systemd, obeys signals.
//
// Begin with `Daemon`. `Configuration` is what the YAML file says, checked; `ForegroundRun` is `guestlog run`.
