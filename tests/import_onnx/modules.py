"""Writes cases for tests/import_onnx.rs: modules of torch, exported in several ways.

    python tests/import_onnx/modules.py DIR WAYS [NAME…]

WAYS are of script_dyn, script_dyn_20, script_st, script_st2, dynamo_dyn, dynamo_st, dynamo_st2, with commas
between: the exporter, and whether the batch is a symbol or the number 1 or 2. Each case has three samples.
"""

import contextlib
import io
import logging
import pathlib
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import torch
import torch.nn as nn
import torch.nn.functional as F
from onnx import numpy_helper

torch.set_num_threads(1)
torch.manual_seed(3)

R = torch.randn
class L(nn.Module):
    def __init__(self, f, *mods):
        super().__init__(); self.f = f; self.m = nn.ModuleList(mods)
    def forward(self, *x): return self.f(*x, *self.m)
C = {}
def case(name, net, *inputs): C[name] = (net, inputs)
img = R(3,4,8,8); seq = R(3,6,8); vec = R(3,8)
S = nn.Sequential
case("mlp", S(nn.Linear(8,16),nn.ReLU(),nn.Linear(16,5)), vec)
for a in ["ReLU","LeakyReLU","ELU","SELU","CELU","GELU","SiLU","Mish","Hardswish","Hardsigmoid","Hardtanh","Softplus","Softsign","Tanhshrink","Softshrink","Hardshrink","LogSigmoid","ReLU6","PReLU","Threshold"]:
    act = getattr(nn,a)() if a!="Threshold" else nn.Threshold(0.1,0.5)
    case("act_"+a, S(nn.Conv2d(4,6,3),act), img)
case("gelu_tanh", S(nn.Linear(8,8),nn.GELU("tanh")), vec)
case("prelu_ch", S(nn.Conv2d(4,6,3),nn.PReLU(6)), img)
case("prelu_seq1", S(nn.Linear(8,6),nn.PReLU()), seq)
case("prelu_ch1d", S(nn.Conv1d(6,5,3),nn.PReLU(5)), seq)
case("prelu_vec", S(nn.Linear(8,5),nn.PReLU(5)), vec)
case("glu", S(nn.Linear(8,8),nn.GLU()), vec)
case("conv1d", S(nn.Conv1d(6,8,3,padding=1),nn.BatchNorm1d(8),nn.ReLU()), seq)
case("conv2d_groups", S(nn.Conv2d(4,8,3,stride=2,padding=1,groups=2,dilation=2)), img)
case("conv_reflect", S(nn.Conv2d(4,6,3,padding=1,padding_mode="reflect")), img)
case("conv_replicate", S(nn.Conv2d(4,6,3,padding=1,padding_mode="replicate")), img)
case("conv_circular", S(nn.Conv2d(4,6,3,padding=1,padding_mode="circular")), img)
case("convT", S(nn.ConvTranspose2d(4,6,3,stride=2,padding=1,output_padding=1)), img)
case("convT1", S(nn.ConvTranspose1d(6,4,3,stride=2)), seq)
case("bn2d", S(nn.Conv2d(4,6,3),nn.BatchNorm2d(6),nn.ReLU(),nn.MaxPool2d(2),nn.Flatten(),nn.Linear(54,5)), img)
case("ln", S(nn.Linear(8,8),nn.LayerNorm(8)), seq)
case("ln_noaffine", nn.LayerNorm(8,elementwise_affine=False), seq)
case("ln2", nn.LayerNorm([6,8]), seq)
case("gn", S(nn.Conv2d(4,8,3,padding=1),nn.GroupNorm(2,8),nn.ReLU(),nn.Conv2d(8,4,1)), img)
case("gn_c", S(nn.Conv2d(4,8,3,padding=1),nn.GroupNorm(8,8)), img)
case("gn1", S(nn.Conv2d(4,8,3,padding=1),nn.GroupNorm(1,8)), img)
case("gn_seq", S(nn.Conv1d(6,8,3),nn.GroupNorm(4,8)), seq)
case("gn_noaffine", S(nn.Conv2d(4,8,3,padding=1),nn.GroupNorm(2,8,affine=False)), img)
case("in2d", S(nn.Conv2d(4,8,3),nn.InstanceNorm2d(8,affine=True)), img)
case("in2d_na", S(nn.Conv2d(4,8,3),nn.InstanceNorm2d(8)), img)
case("rms", nn.RMSNorm(8), seq)
case("lrn", nn.LocalResponseNorm(3), img)
case("maxpool_ceil", nn.MaxPool2d(3,2,1,ceil_mode=True), img)
case("avgpool_pad", nn.AvgPool2d(3,2,1,count_include_pad=False), img)
case("avgpool_ceil", nn.AvgPool2d(3,2,ceil_mode=True), img)
case("adaptive_avg1", S(nn.AdaptiveAvgPool2d(1),nn.Flatten(),nn.Linear(4,3)), img)
case("adaptive_avg2", nn.AdaptiveAvgPool2d(2), img)
case("adaptive_max1", nn.AdaptiveMaxPool2d(1), img)
case("lppool", nn.LPPool2d(2,2), img.abs())
for k in ["LSTM","GRU","RNN"]:
    m=getattr(nn,k)
    case(k.lower()+"_bf", L(lambda x,r,h:h(r(x)[0][:,-1]), m(8,7,batch_first=True),nn.Linear(7,3)), seq)
    case(k.lower()+"_bi", L(lambda x,r,h:h(r(x)[0]), m(8,7,batch_first=True,bidirectional=True),nn.Linear(14,3)), seq)
    case(k.lower()+"_2l", L(lambda x,r:r(x)[0], m(8,7,num_layers=2,batch_first=True)), seq)
    case(k.lower()+"_bi2h", L((lambda x,r:r(x)[1][0].transpose(0,1).flatten(1)) if k=="LSTM" else (lambda x,r:r(x)[1].transpose(0,1).flatten(1)), m(8,7,num_layers=2,batch_first=True,bidirectional=True)), seq)
case("lstm_c", L(lambda x,r:r(x)[1][1][0], nn.LSTM(8,7,batch_first=True)), seq)
case("lstm_tbf", L(lambda x,r:r(x.transpose(0,1))[0].transpose(0,1), nn.LSTM(8,7)), seq)
case("lstm_zeros", L(lambda x,r:r(x,(x.new_zeros(1,x.shape[0],7),x.new_zeros(1,x.shape[0],7)))[0], nn.LSTM(8,7,batch_first=True)), seq)
case("gru_zeros", L(lambda x,r:r(x,torch.zeros(2,x.size(0),7))[0], nn.GRU(8,7,batch_first=True,bidirectional=True)), seq)
case("lstm_nobias", L(lambda x,r:r(x)[0], nn.LSTM(8,7,batch_first=True,bias=False)), seq)
case("rnn_relu", L(lambda x,r:r(x)[0], nn.RNN(8,7,batch_first=True,nonlinearity="relu")), seq)
tok = torch.randint(0,20,(3,6))
case("emb", S(nn.Embedding(20,8),nn.Flatten(),nn.Linear(48,3)), tok)
class Tied(nn.Module):
    def __init__(s): super().__init__(); s.e=nn.Embedding(20,8); s.l=nn.Linear(8,8); s.h=nn.Linear(8,20,bias=False); s.h.weight=s.e.weight
    def forward(s,t): return s.h(torch.tanh(s.l(s.e(t))))
case("tied", Tied(), tok)
class Siam(nn.Module):
    def __init__(s): super().__init__(); s.b=S(nn.Conv2d(4,6,3),nn.BatchNorm2d(6),nn.ReLU(),nn.Flatten(),nn.Linear(6*36,5))
    def forward(s,a,b): return (s.b(a)-s.b(b)).abs()
case("siamese", Siam(), img, R(3,4,8,8))
class Siam2(nn.Module):
    def __init__(s): super().__init__(); s.b=S(nn.Linear(8,8),nn.ReLU(),nn.Linear(8,5),nn.LayerNorm(5))
    def forward(s,a,b): return s.b(a)*s.b(b)
case("siamese_mlp", Siam2(), vec, R(3,8))
class Loop3(nn.Module):
    def __init__(s): super().__init__(); s.l=nn.Linear(8,8)
    def forward(s,x):
        for _ in range(3): x=torch.relu(s.l(x))
        return x
case("recurrent_linear", Loop3(), vec)
case("enc", nn.TransformerEncoderLayer(8,2,16,batch_first=True,dropout=0.), seq)
case("enc2", nn.TransformerEncoder(nn.TransformerEncoderLayer(8,2,16,batch_first=True,dropout=0.,norm_first=True),2,enable_nested_tensor=False), seq)
case("dec", L(lambda x,d:d(x,x), nn.TransformerDecoderLayer(8,2,16,batch_first=True,dropout=0.)), seq)
case("mha", L(lambda x,m:m(x,x,x,need_weights=False)[0], nn.MultiheadAttention(8,2,batch_first=True)), seq)
case("mha_w", L(lambda x,m:m(x,x,x)[0], nn.MultiheadAttention(8,2,batch_first=True)), seq)
class Causal(nn.Module):
    def __init__(s):
        super().__init__(); s.q=nn.Linear(8,24); s.register_buffer("mask",torch.full((6,6),float("-inf")).triu(1))
    def forward(s,x):
        q,k,v=s.q(x).chunk(3,-1); a=(q@k.transpose(1,2))/8**.5+s.mask
        return a.softmax(-1)@v
case("causal_inf", Causal(), seq)
class CausalF(nn.Module):
    def __init__(s): super().__init__(); s.q=nn.Linear(8,24); s.register_buffer("m",torch.tril(torch.ones(6,6)))
    def forward(s,x):
        q,k,v=s.q(x).chunk(3,-1); a=(q@k.transpose(1,2))/8**.5
        return a.masked_fill(s.m[:x.shape[1],:x.shape[1]]==0,float("-inf")).softmax(-1)@v
case("causal_fill", CausalF(), seq)
case("sdpa", L(lambda x,l:F.scaled_dot_product_attention(*[t.view(t.shape[0],6,2,4).transpose(1,2) for t in l(x).chunk(3,-1)],is_causal=True).transpose(1,2).flatten(2), nn.Linear(8,24)), seq)
case("mha_causal", L(lambda x,m:m(x,x,x,need_weights=False,attn_mask=nn.Transformer.generate_square_subsequent_mask(6))[0], nn.MultiheadAttention(8,2,batch_first=True)), seq)
class Cls(nn.Module):
    def __init__(s): super().__init__(); s.c=nn.Parameter(R(1,1,8)); s.p=nn.Parameter(R(1,7,8)); s.l=nn.Linear(8,3)
    def forward(s,x): return s.l((torch.cat([s.c.expand(x.shape[0],-1,-1),x],1)+s.p)[:,0])
case("cls_token", Cls(), seq)
case("up_nearest", nn.Upsample(scale_factor=2), img)
case("up_bilinear", nn.Upsample(scale_factor=2,mode="bilinear"), img)
case("up_corners", nn.Upsample(scale_factor=2,mode="bilinear",align_corners=True), img)
case("interp_size", L(lambda x:F.interpolate(x,size=(16,16))), img)
case("interp_like", L(lambda x,c:F.interpolate(c(x),size=x.shape[2:]), nn.Conv2d(4,4,2,stride=2)), img)
case("pixelshuffle", S(nn.Conv2d(4,8,1),nn.PixelShuffle(2)), img)
case("pixelunshuffle", nn.PixelUnshuffle(2), img)
case("chanshuffle", nn.ChannelShuffle(2), img)
for p in ["Reflection","Replication","Zero","Constant","Circular"]:
    case("pad_"+p, getattr(nn,p+"Pad2d")((1,2,1,0)) if p!="Constant" else nn.ConstantPad2d((1,2,1,0),0.5), img)
case("pad_refl1", nn.ReflectionPad1d(2), seq)
case("fold_mean", L(lambda x:x.mean((2,3))), img)
case("std", L(lambda x:x.std(-1)), seq)
case("var0", L(lambda x:x.var(-1,unbiased=False)), seq)
case("norm", L(lambda x:F.normalize(x,dim=-1)), seq)
case("logsoftmax", S(nn.Linear(8,4),nn.LogSoftmax(-1)), vec)
case("softmax2d", nn.Softmax2d(), img)
case("softmin", nn.Softmin(-1), vec)
case("bilinear", L(lambda x,b:b(x,x), nn.Bilinear(8,8,3)), vec)
case("cossim", L(lambda x,y:F.cosine_similarity(x,y)), vec, R(3,8))
case("pdist", L(lambda x,y:F.pairwise_distance(x,y)), vec, R(3,8))
case("flip", L(lambda x:x.flip(1)), seq)
case("flip_img", L(lambda x,c:c(x.flip(3)), nn.Conv2d(4,4,3)), img)
case("roll", L(lambda x:x.roll(2,1)), seq)
case("cumsum", L(lambda x:x.cumsum(1)), seq)
case("round", L(lambda x:(x*3).round()), vec)
case("round_half", L(lambda x:(torch.floor(x*4)*.5).round()), vec)
case("remainder", L(lambda x:torch.remainder(x,0.7)), vec)
case("fmod", L(lambda x:torch.fmod(x,0.7)), vec)
case("isnan", L(lambda x:torch.where(torch.isnan(x.log()),torch.zeros_like(x),x.log())), vec)
case("nan_to_num", L(lambda x:torch.nan_to_num(x.log(),0.5)), vec)
case("where", L(lambda x:torch.where(x>0,x,x*0.5)), vec)
case("clamp", L(lambda x:x.clamp(-0.5,0.5)), vec)
case("einsum", L(lambda x,y:torch.einsum("bij,bkj->bik",x,y)), seq, R(3,6,8))
case("bmm", L(lambda x,y:torch.bmm(x,y.transpose(1,2))), seq, R(3,6,8))
case("slice_step", L(lambda x:x[:,::2,1::3]), seq)
case("stack", L(lambda x:torch.stack([x,x*2],1)), vec)
case("split", L(lambda x:torch.cat([a*2 for a in x.split(2,1)],1)), img)
case("topk", L(lambda x:x.topk(3)[0]), vec)
case("argmax", L(lambda x:x.argmax(-1)), vec)
case("repeat", L(lambda x:x.repeat(1,2,1)), seq)
case("repint", L(lambda x:x.repeat_interleave(2,1)), seq)
case("tril", L(lambda x:x.tril()), seq)
case("ones_like", L(lambda x,l:l(x)+torch.ones_like(x)*0.5, nn.Linear(8,8)), vec)
case("zeros_cat", L(lambda x:torch.cat([x,torch.zeros(x.shape[0],1,8)],1)), seq)
case("randn_const", L(lambda x,c=R(1,6,8):x+c), seq)
case("pos_arange", L(lambda x,e:x+e(torch.arange(x.shape[1]).unsqueeze(0).expand(x.shape[0],-1)), nn.Embedding(6,8)), seq)
case("view_batch", L(lambda x,l:l(x.reshape(x.shape[0]*6,8)).view(x.shape[0],6,4), nn.Linear(8,4)), seq)
case("se", L(lambda x,a,b:x*torch.sigmoid(b(torch.relu(a(x.mean((2,3)))))).view(x.shape[0],4,1,1), nn.Linear(4,2),nn.Linear(2,4)), img)
case("unfold", nn.Unfold(2,stride=2), img)
case("multi_out", L(lambda x,a,b:(a(x),b(x)), nn.Linear(8,2),nn.Linear(8,3)), vec)
case("bigint", L(lambda t:(t+16777217-16777216).float()), tok)
case("deep", S(*[nn.ReLU() if i%2 else nn.Linear(8,8) for i in range(320)]), vec)
case("deep_act", S(nn.Linear(8,8),*[nn.Tanh() for i in range(300)]), vec)
case("densenet", L(lambda x,a,b,c:c(torch.cat([x,a(x),b(torch.cat([x,a(x)],1))],1)), nn.Conv2d(4,4,3,padding=1),nn.Conv2d(8,4,3,padding=1),nn.Conv2d(12,4,1)), img)


def trained(net):
    """Gives norms the numbers of a network that was trained."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        norms = (nn.GroupNorm, nn.LayerNorm, nn.BatchNorm2d, nn.InstanceNorm2d, nn.RMSNorm)
        for weight in [getattr(module, name, None) for name in ("weight", "bias")] if isinstance(module, norms) else []:
            if weight is not None:
                nn.init.normal_(weight)


def exported(net, inputs, path, way):
    """Exports a module in one of the ways."""
    kind, shape, *opset = way.split("_")
    names = [f"x{index}" for index in range(len(inputs))]
    count = {"dyn": 3, "st": 1, "st2": 2}[shape]
    given = tuple(it[:count] for it in inputs)
    if kind == "script":
        axes = {name: {0: "batch"} for name in names} if shape == "dyn" else None
        version = int(opset[0]) if opset else None
        torch.onnx.export(net, given, path, input_names=names, dynamic_axes=axes, dynamo=False, opset_version=version)
        return names
    shapes = tuple({0: torch.export.Dim("batch")} for _ in names) if shape == "dyn" else None
    if shapes and isinstance(net, L):
        shapes = (shapes,)
    torch.onnx.export(net, given, path, input_names=names, dynamic_shapes=shapes, dynamo=True,
                      external_data=False, verbose=False)
    return names


def write(root, ways, name):
    net, inputs = C[name]
    trained(net)
    net.eval()
    with torch.no_grad():
        outputs = net(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for way in ways:
        folder = root / "torch" / f"{name}-{way}"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            quiet = io.StringIO()
            with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                names = exported(net, inputs, folder / "model.onnx", way)
        except Exception as error:
            shutil.rmtree(folder)
            print(f"{name}-{way}: not exported: {type(error).__name__}", flush=True)
            continue
        for kind, tensors in [("input", inputs), ("output", outputs)]:
            for index, tensor in enumerate(tensors):
                message = numpy_helper.from_array(tensor.detach().numpy(), names[index] if kind == "input" else "")
                (folder / f"{kind}_{index}.pb").write_bytes(message.SerializeToString())


if __name__ == "__main__":
    root, ways, *names = sys.argv[1:]
    for name in names or C:
        write(pathlib.Path(root), ways.split(","), name)
    print(len(C), "modules")
