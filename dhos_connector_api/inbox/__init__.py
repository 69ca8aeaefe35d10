"""The inbox: what each consumer has applied, so that an envelope delivered twice is applied once."""
