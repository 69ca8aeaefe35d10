"""The invented hospital (pure): people, wards, their stays, and the messages a feed makes of them."""
