# What Kubernetes and Prometheus ask.
Feature: Those who run the Connector can watch it

  Scenario: The probes answer without a token
    Then the Connector is running and ready
    And it tells its version

  Scenario: Messages are counted by event and acknowledgement
    Given the count of ADT_A01 answered AA
    When the EPR sends an admission
    Then the count has grown by 1
