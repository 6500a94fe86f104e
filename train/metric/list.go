package metric

// define completes a metric whose state takes checked batches.
func define(m *Metric, s func(p Params) state) *Metric {
	m.New = func(p Params) Accumulator { return newMeter(m, s(p)) }
	return m
}

// all are the metrics that have a name.
var all = []*Metric{
	accuracyMetric, topKMetric, balancedMetric, f1Metric, precisionMetric, recallMetric, // classes
	aurocMetric, precisionAreaMetric, logLossMetric, perplexityMetric,
	maeMetric, mseMetric, rmseMetric, mapeMetric, r2Metric, pearsonMetric, spearmanMetric, // numbers
	iouMetric, diceMetric, apMetric, ap50Metric, ap75Metric, psnrMetric, ssimMetric, // pictures
	cerMetric, werMetric, recallAtMetric, hitMetric, ndcgMetric, mrrMetric, // sequences, retrieval
	agreementMetric, relativeErrorMetric, cosineMetric, // fidelity
}
