"""What the guard remembers, in the one DynamoDB table of the stack."""
