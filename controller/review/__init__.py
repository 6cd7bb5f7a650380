"""What people look at before it is used: one queue for sound files, templates and whatever else joins it."""
