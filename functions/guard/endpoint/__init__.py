"""The model of a VPC and its endpoint: observe the state, and decide what the endpoint lacks."""
