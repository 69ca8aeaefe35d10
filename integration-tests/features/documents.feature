# CDA documents are handed to Mirth, as they are.
Feature: CDA documents reach Mirth

  Scenario: A document reaches Mirth as it is
    When the platform posts a CDA document under the request id "letter.3"
    Then it is answered with 201
    And Mirth receives it unchanged
    And it is kept as delivered with ack_status none
    And it was called under the request id "letter.3"
    And nobody has followed Mirth to where nobody may go

  Scenario Outline: What was delivered is found as processed
    When the platform posts a CDA document
    Then Mirth receives it
    And what was posted is found by <kind>

    Examples:
      | kind        |
      | MRN         |
      | NHS number  |
      | document id |

  Scenario: Mirth refuses it, an engineer sees why, and has it sent again
    Given Mirth answers "client fault"
    When the platform posts a CDA document
    Then its delivery is dead after these attempts
      | outcome   | http_status | detail          |
      | permanent | 500         | no such channel |
    And it is kept as dead with ack_status none
    And an engineer finds it among the dead deliveries to Mirth
    When Mirth is well again
    And an engineer retries it
    Then Mirth receives it unchanged

  Scenario: Mirth fails once
    Given Mirth answers "503" once
    When the platform posts a CDA document
    Then its delivery is delivered after these attempts
      | outcome   | http_status |
      | transient | 503         |
      | delivered | 200         |
    And every attempt was made with the same message

  Scenario: Mirth cannot be reached for a while
    Given the line to Mirth is cut
    When the platform posts a CDA document
    Then it is answered with 201
    And its delivery waits after an attempt that found no connection
    When the platform posts an observation set
    Then the EPR receives it
    When the line to Mirth is mended
    Then Mirth receives all of them

  Scenario Outline: What could reach beyond the document is refused
    When the platform posts a document with <flaw>
    Then the request is refused with 400
    And nothing is kept of it

    Examples:
      | flaw                              |
      | a document type                   |
      | an external document type         |
      | an entity of a file               |
      | an entity of its own              |
      | a parameter entity                |
      | an inclusion                      |
      | an element that is not closed     |

  Scenario: There is no Mirth
    Given the Connector knows no Mirth
    When the platform posts a CDA document
    Then the request is refused with 501
    And nothing is kept of it
