// RotatingFile: the plain log file at a path of somebody's choosing, bounded by rotation.
//
// `RotatingFileWriter` writes it under virtlogd's names: PATH is live, PATH.0 the newest backup, PATH.1 older.
