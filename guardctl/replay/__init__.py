"""`guardctl replay`: logs are found, read, judged, collapsed, summed up and shown."""
