"""From sound files of other forms to the required one, in a process that can be ended."""
