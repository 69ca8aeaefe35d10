# Signed webhooks: who cannot sign is not heard, and what is heard twice happens once.
Feature: Systems of the hospital send signed webhooks

  Background:
    Given somebody consumes the events

  Scenario Outline: A webhook in either form is taken, and its event arrives
    When the HIS sends VISIT_STARTED signed in <form>
    Then the webhook is answered accepted
    And the event VISIT_STARTED of the visit arrives once

    Examples:
      | form                                    |
      | its own header                          |
      | its own header after sha256=            |
      | the Standard Webhooks form              |
      | the Standard Webhooks form by two keys  |

  Scenario: A webhook that is sent again does nothing
    Given the HIS has sent PAYMENT_COMPLETED signed in its own header
    When the HIS sends the same webhook again
    Then the webhook is answered repeated
    And the event PAYMENT_COMPLETED of the visit arrives once

  Scenario: An event nobody knows is kept as ignored
    When the HIS sends COFFEE_SERVED signed in its own header
    Then the webhook is answered ignored

  Scenario Outline: Who cannot sign is not heard
    When somebody sends VISIT_STARTED <how>
    Then the webhook is refused with 401
    And a search by MRN finds nothing of the webhook

    Examples:
      | how                                  |
      | without a signature                  |
      | signed with another secret           |
      | with a body changed after signing    |
      | signed six minutes ago               |
      | with a token and no signature        |

  Scenario: An endpoint without a secret takes nothing
    When the HIS sends RESULT_AVAILABLE to the endpoint of the laboratory
    Then the webhook is refused with 401
