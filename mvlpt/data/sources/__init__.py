"""Where tasks come from: the layouts of files on disk, read as lists of items."""
