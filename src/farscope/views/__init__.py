"""What a person looks at: pure functions of what a scope knows, one file an output."""
