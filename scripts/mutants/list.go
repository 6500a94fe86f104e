package main

import "slices"

// list is all mutants. A new method gets three at least: see CONTRIBUTING.md.
var list = slices.Concat(oneshotMutants, atinitMutants, gradualMutants, learnedMutants, ticketMutants, structuredMutants, shrinkingMutants, layerMutants, rewriteMutants, languageMutants, localMutants, textMutants, decodeMutants, fileMutants,
	calibratedMutants, searchMutants, diagnoseMutants, continualMutants, blockMutants, allocateMutants, hookMutants, modelMutants, trainMutants, endpointMutants, dataMutants, hygieneMutants, samplesMutants, federatedMutants)
