"""Recurrent taggers and a mixer, of torch itself."""
import torch
from torch import nn

from .common import ALL, BOTH, DYNAMO, OLD, SCRIPT, Input, Net


class Tagger(nn.Module):
    """Embedding, recurrent layers, a label for every word."""

    def __init__(self, cell, layers=2, both=True, hidden=16):
        super().__init__()
        self.embed = nn.Embedding(64, 24)
        self.cell = cell(24, hidden, layers, batch_first=True, bidirectional=both)
        self.head = nn.Linear(hidden * (2 if both else 1), 9)

    def forward(self, x):
        return self.head(self.cell(self.embed(x))[0])


class Encoder(nn.Module):
    """torch's own transformer layers."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(64, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 9)

    def forward(self, x):
        return self.head(self.layers(self.embed(x)))


class TextCNN(nn.Module):
    """Kim 2014: convolutions of several widths over words, the largest of each."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(64, 24)
        self.convs = nn.ModuleList(nn.Conv1d(24, 16, k) for k in (2, 3, 4))
        self.head = nn.Linear(48, 5)

    def forward(self, x):
        x = self.embed(x).transpose(1, 2)
        return self.head(torch.cat([c(x).relu().amax(2) for c in self.convs], 1))


def words(model):
    return Net(model, [Input("words", (2, 12), 64)])


NETS = {
    "lstm_tagger": ("LSTM", lambda: words(Tagger(nn.LSTM)), (SCRIPT, OLD, DYNAMO)),
    "lstm_forward": ("LSTM", lambda: words(Tagger(nn.LSTM, both=False)), BOTH),
    "gru_tagger": ("GRU", lambda: words(Tagger(nn.GRU)), BOTH),
    "torch_encoder": ("Transformer", lambda: words(Encoder()), BOTH),
    "text_cnn": ("TextCNN", lambda: words(TextCNN()), BOTH),
}
