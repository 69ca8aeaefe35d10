# The HIS that speaks JSON: patient data in, events out, each once however often it is told.
Feature: A HIS sends patient data

  Background:
    Given somebody consumes the events

  Scenario: A patient is admitted, seen and sent home, and told again each time
    When the HIS sends a new patient
    Then it is answered with the stages "" of which "" are new
    When the HIS adds the visit "Consultation"
    Then it is answered with the stages "Consultation" of which "Consultation" are new
    When the HIS adds the visit "Clinical Condtion"
    Then it is answered with the stages "Consultation, Clinical Condtion" of which "Clinical Condtion" are new
    When the HIS sends the patient home
    Then it is answered with the stages "Consultation, Clinical Condtion" of which "" are new
    And the events HIS_ADMITTED, CONSULTATION, CLINICAL_CONDITION, HIS_DISCHARGED of the stay arrive once and in this order
    And each comes with the patient and the encounter

  Scenario: The same bytes again are answered and do nothing
    Given the HIS has sent a patient with the visit "Doctor Visited"
    When the HIS sends the same bytes again
    Then it is answered with the stages "Doctor Visited" of which "" are new
    And the events HIS_ADMITTED, DOCTOR_VISITED of the stay arrive once and in this order

  Scenario: A visit that is missing later takes nothing back
    Given the HIS has sent a patient with the visit "Consultation"
    When the HIS forgets all visits and sends the patient again
    Then it is answered with the stages "Consultation" of which "" are new

  Scenario: A kind of visit nobody knows is kept and no error
    Given the HIS has sent a patient with the visit "Aromatherapy"
    Then it is answered with the stages "" of which "" are new
    And the events HIS_ADMITTED of the stay arrive once and in this order

  Scenario: Whoever asks finds the payload by patient and by stay
    Given the HIS has sent a patient with the visit "Consultation"
    Then a search by MRN and by Visit ID finds the payload as accepted, with its bytes

  Scenario: A hospital nobody knows is refused, and the payload is kept
    When the HIS sends a patient of the hospital "Elsewhere"
    Then it is answered 400 with the error "Hospital with code 'Elsewhere' not found"
    And a search by MRN finds the payload as refused, with its bytes

  Scenario: What does not fit is refused by field
    When the HIS sends a patient admitted on "2025-06-05 11:06"
    Then it is answered 400 with the error "Invalid HIS data format"
    And the details name "FetchPatientDataTimeStampList[0].AdmitDate"

  Scenario: RabbitMQ is away
    Given RabbitMQ is away
    When the HIS has sent a patient with the visit "Consultation"
    And RabbitMQ is back
    Then the events HIS_ADMITTED, CONSULTATION of the stay arrive once and in this order

  @local
  Scenario: A simulated HIS sends patients over time, again, and out of order
    When a simulated HIS sends 4 patients with webhooks
    Then every answer is what it should be
    And 4 stays have been admitted and discharged, each once
