"""What an account has played: sound files and voice templates, from the draft to what every node can play."""
