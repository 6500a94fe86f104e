package op

// typeTable is what ONNX allows as the types of the inputs of each ai.onnx operator,
// the versions of the standard taken together: for each input a class of types, and
// before it a letter where several inputs must be of one type. Of a class of
// floating-point numbers an operator takes all: Pare computes in each of them. The
// last class is that of all further inputs where it ends in "...": of one type where
// it has a letter.
const typeTable = `
num = Abs ArgMax ArgMin Erf Shrink Sign
float = Acos Acosh Asin Asinh Atan Atanh AveragePool Bernoulli Ceil Celu Cos Cosh Det DynamicQuantizeLinear Elu Exp Floor Gelu GlobalAveragePool
float = GlobalLpPool GlobalMaxPool HardSigmoid HardSwish Hardmax IsInf IsNaN LRN LeakyRelu Log LogSoftmax LpNormalization LpPool
float = MeanVarianceNormalization Mish Multinomial Reciprocal Round Selu Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh
float = ThresholdedRelu
T:num T:num = Add Div Greater GreaterOrEqual Less LessOrEqual Mod Mul Sub
float int64 = AffineGrid
T:bool T:bool = And Or Xor
T:float T:float U:float plain T:float U:float int64 = Attention
float T:float T:float U:float U:float = BatchNormalization
plain = BitCast EyeLike
T:int T:int = BitShift BitwiseAnd BitwiseOr BitwiseXor
int = BitwiseNot
index = BlackmanWindow HammingWindow HannWindow
any = DepthToSpace NonZero RandomNormalLike RandomUniformLike SpaceToDepth Unique
held = Cast Flatten Identity Shape Size Transpose
held held = CastLike
T:float T:float T:float T:float = CausalConvWithState
any index = CenterCropPad Gather GatherElements
T:num T:num T:num = Clip
any int64 int64 = Col2Im
any bool = Compress
T:any... = Concat
int64 = ConstantOfShape
T:float T:float T:float = Conv ConvTranspose GroupNormalization InstanceNormalization LayerNormalization
T:byte U:byte T:byte U:byte = ConvInteger MatMulInteger
wide index = CumProd CumSum
float index int64 = DFT
T:float T:float T:float T:float T:float = DeformConv
T:int16|int32|int4|int8|uint16|uint4|uint8 float T:int16|int32|int4|int8|uint16|uint4|uint8 = DequantizeLinear
float float bool = Dropout
T:num... = Einsum Max Min
T:any T:any = Equal
any int64 = Expand GatherND ReverseSequence Split Tile Trilu
held int64 = Reshape Squeeze Unsqueeze
T:float T:float T:float T:float int32 T:float = GRU RNN
T:wide T:wide T:wide = Gemm
any float = GridSample Upsample
bool = If Not
T:float T:float T:float T:float int32 T:float T:float T:float = LSTM
T:float T:float T:float float T:float T:float = LinearAttention
int64 bool any... = Loop
T:wide T:wide = MatMul PRelu
float|byte = MaxPool
float T:int64 T:int64 = MaxUnpool
T:float... = Mean Sum
T:index T:index T:index U:float U:float = MelWeightMatrix
float|int16|index|int8 = Neg Relu
T:float index T:float = NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss
float float int64 float float = NonMaxSuppression
num num any = OneHot
T:held int64 T:held index = Pad
float|index num = Pow
T:byte float T:byte U:byte float U:byte float byte int32 = QLinearConv
T:byte float T:byte U:byte float U:byte float byte = QLinearMatMul
float|int32 float|int32 int16|int4|int8|uint16|uint4|uint8 = QuantizeLinear
float float = RMSNormalization
T:float|int16|index T:float|int16|index T:float|int16|index = Range
wide int64 = ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMean ReduceProd ReduceSum ReduceSumSquare
float|bool|index|int8|uint32|uint64|uint8 int64 = ReduceMax ReduceMin
any float float int64 = Resize
T:float T:float int64 = RoiAlign
T:float T:float T:float int64 = RotaryEmbedding
T:float U:index T:float U:index = STFT
any... any... = Scan
T:any index T:any = Scatter ScatterElements
T:any int64 T:any = ScatterND
any T:index T:index T:index T:index = Slice
T:float T:float = SwiGLU
T:any T:any int64 = TensorScatter
index|string = TfIdfVectorizer
num int64 = TopK
bool T:any T:any = Where
`

// classes name sets of types; others are listed by their names.
var classes = map[string]string{
	"any":   "float int bool string",
	"held":  "any int4 uint4",
	"plain": "float int bool",
	"num":   "float int",
	"wide":  "float int32 int64 uint32 uint64",
	"float": "float16 bfloat16 float32 float64",
	"int":   "int8 int16 int32 int64 uint8 uint16 uint32 uint64",
	"index": "int32 int64",
	"byte":  "int8 uint8",
}
