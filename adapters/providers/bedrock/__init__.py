"""Amazon Bedrock: Converse for every model that talks, Invoke for those that embed."""
