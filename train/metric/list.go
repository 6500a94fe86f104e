package metric

// define completes a metric whose state takes checked batches.
func define(m *Metric, s func(p Params) state) *Metric {
	m.New = func(p Params) Accumulator { return newMeter(m, s(p)) }
	return m
}

// all are the metrics that have a name.
var all = []*Metric{
	accuracyMetric, topKMetric,
	maeMetric, mseMetric, rmseMetric, mapeMetric, r2Metric,
}
