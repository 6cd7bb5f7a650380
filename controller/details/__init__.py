"""Call details: finding a call, and what happened in it. All of it is made from stored rows, afterwards."""
