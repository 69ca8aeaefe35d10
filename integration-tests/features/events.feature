# Systems that tell of events in JSON, with a key of their own: each event once, with what its code means.
Feature: A system tells of integration events

  Background:
    Given somebody consumes the events
    And a system with an API key

  Scenario: An event is kept, published once and found
    When the system tells of the event OPD_CHECKIN
    Then it is answered with 201 and status pending
    And the event arrives as OPD_CHECKIN
    And a list of the encounter's events shows it as processed or on its way

  Scenario: The same request again under its Idempotency-Key
    Given the system has told of the event OPD_CHECKIN under an Idempotency-Key
    When it sends the same request again
    Then it gets the first answer again
    When it sends another event under that key
    Then it is refused with 422

  Scenario: Many events in one request, one of them broken
    When the system tells of 50 events at once, the 7th of them broken
    Then 49 are created and the 7th is named as failed
    And 49 events arrive

  Scenario: What a code means is changed and applied to what is stored
    Given the system has told of the event REG01
    When the platform says that its REG01 means VISIT_STARTED, and applies that
    Then the event arrives again as VISIT_STARTED under another message id
    When the platform applies it once more
    Then nothing more arrives of it

  Scenario: A key that is revoked opens nothing any more
    When the platform revokes the key
    And the system tells of the event OPD_CHECKIN
    Then it is refused with 401
