// The C side of the weight files.
#pragma once
#include "to_f32.h"
