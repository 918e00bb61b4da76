"""The approved endpoint policies, and which of them an endpoint is to carry."""
