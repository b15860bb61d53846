"""The wire forms that customers speak, and the one form that lies between them and providers."""
