# People who work here: a walk through a user's life, as an admin and as the user himself.
@local
Feature: People log in, and see and do what their role allows

  Background:
    Given an administrator who has logged in

  Scenario: A user is made, found, given a role, and deactivated
    When the administrator makes a user
    Then the user is found by the beginning of his name
    And the user may not list users
    When the administrator gives him the role Hospital Admin
    Then the user may list users with the token he has
    When the administrator takes the role Hospital Admin from him
    Then the user may not list users
    When the administrator deactivates him
    Then the user's token opens nothing
    And the user cannot log in

  Scenario: A password is changed, and what was made with the old one is void
    When the administrator makes a user
    And the user changes his password
    Then the token he had before opens nothing
    And he can log in with the new password

  Scenario: A refresh token is good for once
    When the administrator makes a user
    And the user refreshes his tokens twice with the same one
    Then the first time works, the second does not, and nothing that followed is good

  Scenario: Of two who change one user at once the second is told
    When the administrator makes a user
    And two change him who have both seen the same version
    Then the first change is kept and the second is refused with 412
