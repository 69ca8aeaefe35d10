# Hospitals and who works there: every kind is made, read, found, replaced, changed and deactivated.
@local
Feature: An admin keeps the hospitals, departments, physicians and employees

  Background:
    Given a PX Admin has logged in
    And there is a hospital

  Scenario Outline: Each kind through its life
    When the admin makes one of the <kind>
    Then it is answered as it was given, with version 1
    And it is found by a word of its Arabic name in other letters
    When the admin changes its phone
    Then it has version 2 and the new phone
    When the admin changes its phone, having seen version 1
    Then that is refused, for it is another version
    When the admin replaces it by what was given first
    Then it has version 3 and the first phone
    When the admin deletes it
    Then it is still there, inactive

    Examples:
      | kind        |
      | hospitals   |
      | departments |
      | physicians  |
      | employees   |

  Scenario: A code is given once
    When the admin makes one of the departments
    And the admin makes another with the same code
    Then the field code is told to be taken

  Scenario: A department is not part of itself
    When the admin makes one of the departments
    And the admin puts it below itself
    Then the field parent is told to be wrong
