"""How often joints occur in 3000 training objects, and hinge lines of panels in 600 of them.

The words are those of `services.refinement.part_prior`: of its `Place`, and of its `LINES`. `training.fit_joint_prior`
writes them.
"""

# fmt: off
BY_LABEL: dict[str, dict[str, int]] = {'button': {'prismatic -z': 2570},
 'dial': {'continuous -z middle': 77},
 'display': {'revolute -x low': 234},
 'door': {'prismatic +x': 31,
          'prismatic -x': 30,
          'revolute +x low': 691,
          'revolute +y high': 776,
          'revolute -x high': 34,
          'revolute -y low': 952},
 'drawer': {'prismatic +z': 2053},
 'flap': {'revolute +z low': 33, 'revolute -z high': 33},
 'handle': {'revolute +z high': 84, 'revolute -z low': 97, 'revolute -z middle': 42},
 'knob': {'revolute -z middle': 1539},
 'lever': {'revolute +z high': 57, 'revolute -z low': 63},
 'lid': {'revolute -x low': 656},
 'rack': {'prismatic +z': 136},
 'seat': {'revolute -x low': 168}}

BY_SHAPE: dict[str, dict[str, int]] = {'large block': {'prismatic +z': 1282,
                 'revolute +x low': 1,
                 'revolute +y high': 34,
                 'revolute -x low': 5,
                 'revolute -y low': 54},
 'large plate y': {'prismatic +z': 760, 'revolute -x low': 249},
 'large plate z': {'prismatic +x': 3,
                   'prismatic -x': 6,
                   'revolute +x low': 480,
                   'revolute +y high': 483,
                   'revolute -x high': 24,
                   'revolute -y low': 621,
                   'revolute -z middle': 11},
 'large sheet y': {'prismatic +z': 138,
                   'revolute +z low': 33,
                   'revolute -x low': 804,
                   'revolute -z high': 33},
 'large sheet z': {'prismatic +x': 28,
                   'prismatic -x': 24,
                   'revolute +x low': 138,
                   'revolute +y high': 258,
                   'revolute -x high': 10,
                   'revolute -y low': 277},
 'small block': {'continuous -z middle': 23,
                 'prismatic +z': 1,
                 'revolute +z high': 126,
                 'revolute -z low': 152,
                 'revolute -z middle': 127},
 'small plate y': {'prismatic +z': 8, 'revolute +z high': 15, 'revolute -z low': 8},
 'small plate z': {'continuous -z middle': 54,
                   'prismatic -z': 595,
                   'revolute +x low': 72,
                   'revolute -z middle': 1443},
 'small sheet z': {'prismatic -z': 1975, 'revolute +y high': 1}}

BY_LINE: dict[str, dict[str, int]] = {'display': {'elsewhere': 52},
 'door': {'ahead': 408, 'elsewhere': 27, 'middle': 17},
 'flap': {'behind': 16},
 'handle': {'elsewhere': 16, 'middle': 23},
 'lever': {'elsewhere': 21},
 'lid': {'ahead': 23, 'behind': 66, 'elsewhere': 46},
 'seat': {'ahead': 34}}
# fmt: on
