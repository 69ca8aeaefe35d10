"""The rules of delivering (pure): what an answer means, how an attempt ended, when the next one is due."""
