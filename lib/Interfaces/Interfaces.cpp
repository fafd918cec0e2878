//===- Interfaces.cpp - op interfaces -------------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Generated definitions of the op interfaces.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Interfaces/CostOpInterface.h"
#include "modelpar/Interfaces/DifferentiableOpInterface.h"
#include "modelpar/Interfaces/InPlaceOpInterface.h"
#include "modelpar/Interfaces/ParameterOpInterface.h"
#include "modelpar/Interfaces/ShardingRuleOpInterface.h"
#include "modelpar/Interfaces/StreamedOpInterface.h"

#include "modelpar/Interfaces/CostOpInterface.cpp.inc"
#include "modelpar/Interfaces/DifferentiableOpInterface.cpp.inc"
#include "modelpar/Interfaces/InPlaceOpInterface.cpp.inc"
#include "modelpar/Interfaces/ParameterOpInterface.cpp.inc"
#include "modelpar/Interfaces/ShardingRuleOpInterface.cpp.inc"
#include "modelpar/Interfaces/StreamedOpInterface.cpp.inc"
