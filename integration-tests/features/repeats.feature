# The same control id again: HL7_DUPLICATE_POLICY says what that means.
Feature: An EPR sends a message again

  Scenario: Under the policy "replay" a repeat gets the same acknowledgement and is not published again
    Given the EPR has sent an admission
    When the EPR sends the same message again
    Then it gets the very same acknowledgement
    And the message has been repeated once
    And the platform receives exactly one envelope of it

  Scenario: Under the policy "reject" a repeat is answered AR, as the predecessor does
    Given the Connector rejects repeats
    And the EPR has sent an admission
    When the EPR sends the same message again
    Then it is acknowledged with AR and error 205
    And it is stored as refused with ack_status AR
    And it is stored as a duplicate of the first message
    And the platform receives nothing of it

  Scenario: Another message under a control id that is taken is refused and kept
    Given the EPR has sent an admission
    When the EPR sends another message with the same control id
    Then it is acknowledged with AR and error 205
    And it is stored as a duplicate of the first message
    And the platform receives nothing of it
