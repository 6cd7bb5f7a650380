"""What the customer is told: status pushes while a call goes on, CDR pushes when it is over."""
