# What comes in: acknowledged, kept, handed on.
Feature: An EPR sends HL7 v2 messages

  Scenario: An admission is accepted, kept and handed to the platform
    When the EPR sends an admission
    Then it is acknowledged with AA
    And it is stored as accepted with ack_status AA
    And the platform receives its envelope
    And the envelope holds the actions process_patient, process_location, process_encounter and process_event
    And the envelope describes the patient, the ward and the encounter

  Scenario: An envelope looks as existing consumers expect it
    When the EPR sends an admission with the request id "ward-round.7"
    Then the platform receives its envelope
    And it is persistent, has the content type application/text and the correlation id "ward-round.7"
    And its message id is that of its event

  Scenario: The platform marks a message as processed
    Given the EPR has sent an admission
    And the platform has received its envelope
    When the platform marks the message as processed
    Then it is stored as processed

  Scenario: HL7 over HTTP is answered in kind
    When the EPR sends an admission as application/hl7-v2
    Then it is acknowledged with AA
    And a search by control id finds it alone

  Scenario Outline: A message that cannot be taken is answered, kept and not published
    When the EPR sends <message>
    Then it is acknowledged with <code> and error <error>
    And it is stored as refused with ack_status <code>
    And the platform receives nothing of it

    Examples:
      | message                                   | code | error |
      | a message with an unknown trigger         | AR   | 201   |
      | a message of an unknown type              | AR   | 200   |
      | two messages in one                       | AR   | 207   |
      | an admission without a PID                | AE   | 100   |
      | an admission without a patient identifier | AE   | 101   |

  Scenario: What is no HL7 message at all is refused with an error in JSON
    When the EPR sends bytes that are no HL7 message
    Then the request is refused with 400
