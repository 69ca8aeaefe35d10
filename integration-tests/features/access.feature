# Who may do what: HS512 tokens with the right key, iss, aud, exp and scope.
Feature: Only those with a good token get in

  Scenario: The EPR service adapter and the platform may send messages
    When the EPR sends an admission
    Then it is acknowledged with AA
    When the platform itself sends an admission
    Then it is acknowledged with AA

  Scenario Outline: Any other token is refused, and nothing is kept
    When somebody sends an admission with a token <flaw>
    Then the request is refused with <status>
    And a search by control id finds nothing

    Examples:
      | flaw                    | status |
      | that is garbage         | 401    |
      | expired                 | 401    |
      | signed with another key | 401    |
      | of another issuer       | 401    |
      | for another audience    | 401    |
      | signed with HS256       | 401    |
      | not signed at all       | 401    |
      | without expiry          | 401    |
      | without the scope       | 403    |

  Scenario: No token at all
    When somebody sends an admission without a token
    Then the request is refused with 401

  Scenario: The EPR service adapter may send, but not read
    Given the EPR has sent an admission
    When the EPR asks for the message
    Then the request is refused with 403

  Scenario Outline: Only the platform may send to the hospital
    When somebody posts <what> with a token <flaw>
    Then the request is refused with <status>
    And nothing is kept of it

    Examples:
      | what               | flaw                    | status |
      | an observation set | that is garbage         | 401    |
      | an observation set | signed with another key | 401    |
      | an observation set | expired                 | 401    |
      | an observation set | without the scope       | 403    |
      | a CDA document     | that is garbage         | 401    |
      | a CDA document     | for another audience    | 401    |
      | a CDA document     | not signed at all       | 401    |
      | a CDA document     | without the scope       | 403    |

  Scenario Outline: The EPR service adapter may not
    When the EPR service adapter posts <what>
    Then the request is refused with 403
    And nothing is kept of it

    Examples:
      | what               |
      | an observation set |
      | a CDA document     |

  Scenario: Who may write may not therefore look at deliveries
    When somebody who may only write asks for the deliveries
    Then the request is refused with 403
