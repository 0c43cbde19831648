// LogModel: the words every other room uses, as values.
//
// Who spoke (`VMIdentity`, `StreamName`), when (`Timestamp`), how loudly (`Severity`), where lines end (`Lines`), and
// how records become text (`JSON`), which characters a terminal acts on. Nothing here touches a file, a socket, a clock
// or Foundation, so every other room may know it.
