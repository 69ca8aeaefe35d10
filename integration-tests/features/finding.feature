# Asking for messages: by uuid, by control id, by identifier.
Feature: Somebody asks what happened to a message

  Scenario: A search by control id returns a list
    Given the EPR has sent an admission
    Then a search by control id finds it alone

  Scenario Outline: A search by identifier returns a list, newest first
    Given the EPR has sent an admission
    And the EPR has sent a discharge
    Then a search by <kind> finds both messages, newest first

    Examples:
      | kind       |
      | MRN        |
      | NHS number |
      | Visit ID   |

  Scenario: A search that finds nothing returns an empty list
    Then a search by MRN finds nothing
    And a search by control id finds nothing

  Scenario: A long list comes page by page
    Given the EPR has sent 5 admissions
    When the list by MRN is read in pages of 2
    Then the pages hold 2, 2 and 1 messages, all of them once, newest first

  Scenario: After a merge the surviving MRN also finds the messages under the old one
    Given the EPR has sent an admission under an old MRN
    When the EPR sends a merge of the old MRN into a surviving one
    Then it is acknowledged with AA
    And a search by the surviving MRN finds the merge and the old admission, and tells the old MRN
    And the envelope of the merge names the old MRN as the previous one

  Scenario: Nobody finds a message that does not exist
    When somebody asks for a message that does not exist
    Then the request is refused with 404
