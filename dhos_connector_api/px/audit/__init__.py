"""The audit trail: who did what to which object, and that no row of it was changed; append only."""
