"""What goes out: findings counted, told once on the topic, put into words, summed up."""
