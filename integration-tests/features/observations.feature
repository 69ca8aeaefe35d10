# What a nurse measures goes back to the EPR, as HL7 v2.6 ORU^R01.
Feature: Observation sets reach the EPR

  Scenario: An observation set reaches the EPR as a message it understands
    When the platform posts an observation set
    Then it is answered with 204
    And the EPR receives it
    And the message names the sender, the patient, the stay and who took the observations
    And each of them was made at the time of the round
    And its observations are
      | type | code              | value                    | unit     | range | flags | by              |
      | ST   | ScoringSystem     | NEWS2                    |          |       |       |                 |
      | ST   | SpO2Scale         | Scale 1                  |          |       |       |                 |
      | NM   | TotalScore        | 5                        |          | 0-4   | HIGH  |                 |
      | ST   | Severity          | medium                   |          |       |       |                 |
      | TS   | TimeNextObsSetDue | 20260102130000.000+0000  |          |       |       |                 |
      | NM   | HR                | 92                       | ^bpm     |       |       | 4711^Nurse^Nia  |
      | NM   | HRScore           | 1                        |          |       |       |                 |
      | NM   | RR                | patient_refused          | ^/min    |       |       | 4711^Nurse^Nia  |
      | NM   | RRScore           | 0                        |          |       |       |                 |
      | NM   | O2Rate            | 4                        | ^lpm     |       |       | 4711^Nurse^Nia  |
      | CE   | O2Delivery        | V28^Venturi 28%          |          |       |       | 4711^Nurse^Nia  |
      | NM   | O2Score           | 2                        |          |       |       |                 |
      | NM   | TEMP              | 38.4                     | ^celsius |       |       | 4711^Nurse^Nia  |
      | NM   | TEMPScore         | 1                        |          |       |       |                 |
      | CE   | ACVPU             | A^Alert                  |          |       |       | 4711^Nurse^Nia  |
      | NM   | ACVPUScore        | 0                        |          |       |       |                 |
      | ST   | NC                | Pain \F\ 7/10            |          |       |       | 4711^Nurse^Nia  |
      | ST   | NC                | Pallor                   |          |       |       | 4711^Nurse^Nia  |

  Scenario Outline: What was delivered is found as processed
    When the platform posts an observation set
    Then the EPR receives it
    And it is kept as delivered with ack_status AA
    And what was posted is found by <kind>

    Examples:
      | kind       |
      | MRN        |
      | NHS number |
      | Visit ID   |
      | control id |

  Scenario: The request id goes with it
    When the platform posts an observation set under the request id "round.12"
    Then the EPR receives it
    And it was called under the request id "round.12"

  Scenario: The EPR refuses it, an engineer sees why, and has it sent again
    Given the EPR answers "AE"
    When the platform posts an observation set
    Then its delivery is dead after these attempts
      | outcome   | http_status | ack_code | error           | detail      |
      | permanent | 200         | AE       | refused with AE | NOT ON FILE |
    And it is kept as dead with ack_status AE
    And an engineer finds it among the dead deliveries to the EPR
    When the EPR is well again
    And an engineer retries it
    Then the EPR receives it
    And it is kept as delivered with ack_status AA

  Scenario: The EPR fails once
    Given the EPR answers "500" once
    When the platform posts an observation set
    Then its delivery is delivered after these attempts
      | outcome   | http_status | ack_code |
      | transient | 500         |          |
      | delivered | 200         | AA       |
    And every attempt was made with the same message

  Scenario: The EPR takes it, and its answer is lost
    Given the EPR answers "lost" once
    When the platform posts an observation set
    Then its delivery is delivered after these attempts
      | outcome   | http_status | ack_code |
      | ambiguous |             |          |
      | delivered | 200         | AA       |
    And every attempt was made with the same message
    And what was received more than once is marked as ambiguous

  Scenario: The EPR cannot be reached for a while
    Given the line to the EPR is cut
    When the platform posts an observation set
    Then it is answered with 204
    And its delivery waits after an attempt that found no connection
    And at least 1 delivery to the EPR is counted as waiting
    When the EPR sends an admission
    Then it is acknowledged with AA
    And the platform receives its envelope
    When the platform posts a CDA document
    Then Mirth receives it unchanged
    When the line to the EPR is mended
    Then the EPR receives all of them

  Scenario: A correction takes the place of what still waits
    Given the line to the EPR is cut
    And the platform has posted an observation set
    And its delivery waits after an attempt that found no connection
    When the platform posts a correction of the observation set
    And the line to the EPR is mended
    Then the EPR receives it
    And the EPR received the correction alone
    And the delivery of the original was superseded by that of the correction

  Scenario: An engineer gives one up
    Given the EPR answers "AR"
    When the platform posts an observation set
    Then an engineer finds it among the dead deliveries to the EPR
    When an engineer cancels it
    Then it is kept as cancelled with ack_status AR

  @local
  Scenario: The delivery process is killed in the middle and started again
    Given the platform posts 3 observation sets
    And the EPR receives all of them
    And the EPR needs 2 seconds for each message
    When the platform posts 6 observation sets
    And the delivery process is killed while it is sending
    And the EPR is well again
    And the platform posts 3 observation sets
    And the delivery process is started again
    Then the EPR receives all of them
    And what was received more than once is marked as ambiguous

  Scenario: The site wants no observation sets
    Given the site wants no observation sets
    When the platform posts observation sets until one is not kept
    And the site wants observation sets again
    And the platform posts observation sets until one is kept
    Then the EPR receives it
    And the EPR has received nothing of what the site did not want

  Scenario Outline: What is incomplete is refused, and all that is missing is named
    When the platform posts an observation set without <parts>
    Then the request is refused with 400
    And all that is missing is named
    And nothing is kept of it

    Examples:
      | parts                                  |
      | patient                                |
      | encounter and observation_set          |
      | patient, encounter and observation_set |

  Scenario: A body without an observation set is refused
    When the platform posts no observation set at all
    Then the request is refused with 400
