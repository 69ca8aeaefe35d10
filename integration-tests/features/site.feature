# The hospital's configuration comes from the trustomer service, and outlives its outages.
Feature: The site's configuration is fetched

  Scenario: The trustomer service is asked with the right headers
    When the EPR sends an admission
    Then the trustomer service has given its configuration
    And the trustomer service has refused nobody

  Scenario: A change of the configuration is taken over
    Given the trustomer service says that pre-admissions are not taken
    When the EPR sends pre-admissions until one is refused
    Then it is acknowledged with AR and error 201

  Scenario: The last good configuration is used while the trustomer service fails
    Given the trustomer service fails
    And the Connector has noticed that
    When the EPR sends an admission
    Then it is acknowledged with AA
