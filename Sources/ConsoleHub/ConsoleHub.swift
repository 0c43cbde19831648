// ConsoleHub
