"""The founding of a log: who is there, under which policy, and the folder that `interlock init` makes of it.

| module            | what it does                                                           |
|-------------------|------------------------------------------------------------------------|
| `packs`           | reads a policy pack's files, shipped or of a folder                    |
| `plan`            | who is to be founded: people, services, roles, public keys             |
| `development`     | the plan of `init --dev`: one account a role, keys made here           |
| `reviewed`        | the plan of `init --genesis FILE`: what several people read before     |
| `founding`        | plan → genesis document → entries 0 and 1                              |
| `data_directory`  | all of it on disk, whole or not at all                                 |
"""
