# Encounters become journeys: told by people, by a HIS, by HL7 and by events, and explained.
@local
Feature: Every encounter's way through the hospital

  Background:
    Given a PX Admin has logged in
    And the consumers run

  Scenario: From an encounter to its completed stages
    Given a hospital with a template of the stages "OPD_VISIT_COMPLETED, LAB_ORDER_COMPLETED"
    When the admin opens a journey of a new patient
    Then it is active, with 0 of 2 stages completed
    When a system tells of the event "OPD_VISIT_COMPLETED" of the encounter
    Then it is active, with 1 of 2 stages completed
    When a system tells of the event "LAB_ORDER_COMPLETED" of the encounter
    Then it is completed, with 2 of 2 stages completed
    And its progress has the fields of the contract

  Scenario: A HIS sends a whole visit
    Given the HIS's hospital has the template of the HIS's visits
    When the HIS sends a patient with all five visits, and waits
    Then it is answered with a completed journey of five stages
    And the journey is explained in English and in Arabic

  Scenario: A simulated HIS's patients go all their way
    Given the HIS's hospital has the template of the HIS's visits
    And somebody consumes the events
    When a simulated HIS sends 4 patients with webhooks
    Then each of the 4 stays is a completed journey, with a stage for each kind of visit

  Scenario: One stay is told by a HIS, by HL7 and by a webhook, each with its own name for the hospital
    Given the HIS's hospital has the template of the HIS's visits
    And HL7 calls the HIS's hospital "North  Wing"
    When the HIS has sent a patient with the visit "Consultation"
    And HL7 tells of the same stay, at "NORTH wing"
    And a webhook tells PAYMENT_COMPLETED of the same stay
    And the HIS adds the visit "Doctor Visited"
    Then there is one journey of the stay, with 2 of 5 stages completed
    And its explanation names "CONSULTATION, ADT_A04, PAYMENT_COMPLETED, DOCTOR_VISITED"

  Scenario: An admission that is cancelled
    Given a hospital with a template of the stages "ADT_A02"
    When HL7 tells of the admission of a patient
    Then it is active, with 0 of 1 stages completed
    When HL7 tells that the admission is cancelled
    Then it is cancelled, with 0 of 1 stages completed
    And that is announced once to whoever listens

  Scenario: Two patients turn out to be one in mid-journey
    Given a hospital with a template of the stages "ADT_A02, LAB_ORDER_COMPLETED"
    When HL7 tells of the admission of a patient
    And HL7 tells that the patient is another one
    Then the journey is the other one's
    When HL7 tells of a transfer
    Then it is active, with 1 of 2 stages completed
