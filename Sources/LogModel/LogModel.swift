// LogModel: the words every other room uses, as values.
//
// Who spoke (`VMIdentity`, `StreamName`), when (`Timestamp`), how loudly (`Severity`), and how bytes become lines
// (`LineSplitter`) and records become text (`JSON`). Nothing here touches a file, a socket, a clock or Foundation,
// so every other room, the in-guest agent included, may know it.
