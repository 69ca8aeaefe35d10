# What dies in between: acknowledged messages wait, and arrive once, in order.
Feature: Nothing acknowledged is lost

  Scenario: RabbitMQ is away
    Given RabbitMQ is away
    When the EPR sends 5 admissions
    Then all of them are acknowledged with AA
    And the Connector is running and ready
    And at least 5 envelopes wait to be published
    When RabbitMQ is back
    Then the platform receives all of them once and in order

  Scenario: RabbitMQ goes away and comes back while messages come in
    When the EPR sends 5 admissions
    And RabbitMQ is away
    And the EPR sends 5 admissions
    And RabbitMQ is back
    And the EPR sends 5 admissions
    Then all of them are acknowledged with AA
    And the platform receives all of them at least once, in order, each under one message id

  @local
  Scenario: The relay is killed and started again
    Given the EPR has sent 5 admissions
    When the relay is killed
    And the EPR sends 5 admissions
    Then all of them are acknowledged with AA
    And at least 5 envelopes wait to be published
    When the relay is started again
    Then the platform receives all of them at least once, in order, each under one message id

  Scenario: Nobody listens to events yet
    When the EPR sends a deletion of a person
    Then it is acknowledged with AA
    And its event waits to be published
    When the EPR sends an admission
    Then the platform receives its envelope
    When somebody binds a queue to the events
    Then the deletion's event arrives there once
