# Patients as people tell of them: made, read, found, replaced, changed and deactivated.
@local
Feature: An admin keeps the patients

  Background:
    Given a PX Admin has logged in
    And there is a hospital

  Scenario: A patient through his life
    When the admin makes one of the patients
    Then it is answered as it was given, with version 1
    And it is found by its MRN
    When the admin changes its phone
    Then it has version 2 and the new phone
    When the admin changes its phone, having seen version 1
    Then that is refused, for it is another version
    When the admin replaces it by what was given first
    Then it has version 3 and the first phone
    When the admin deletes it
    Then it is still there, inactive

  Scenario: An MRN is given once in a hospital
    When the admin makes one of the patients
    And the admin makes another with the same code
    Then the field mrn is told to be taken
