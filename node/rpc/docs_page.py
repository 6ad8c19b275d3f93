"""The page at /docs: lists the calls of /openapi.json and tries them. Self-contained: no other host is asked."""

from __future__ import annotations

from node.rpc.problems import PROBLEMS

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem}h2{font-size:1rem;text-transform:uppercase;letter-spacing:.05em;margin-top:2rem}
details{border:1px solid #8886;border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}
summary{cursor:pointer}code,pre,textarea,input{font:13px/1.45 ui-monospace,monospace}
b.m{display:inline-block;width:3.2rem}label{display:block;margin:.5rem 0}label small{opacity:.7}
input,textarea{width:100%;box-sizing:border-box;padding:.3rem}textarea{min-height:8rem}
pre{background:#8882;padding:.6rem;overflow:auto;max-height:30rem;border-radius:6px}
button{padding:.35rem 1rem}table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}
tr:target{outline:2px solid #38f}
"""

_SCRIPT = """
const el=(t,p={},...c)=>{const e=Object.assign(document.createElement(t),p);e.append(...c);return e};
const deref=(d,s)=>s&&s.$ref?s.$ref.slice(2).split('/').reduce((o,k)=>o[k],d):s;
function sample(d,s,n=0){s=deref(d,s)||{};if(n>6)return null;
 if('const' in s)return s.const;if(s.enum)return s.enum[0];if(s.anyOf)return sample(d,s.anyOf[0],n+1);
 if(s.oneOf)return sample(d,s.oneOf[0],n+1);const t=Array.isArray(s.type)?s.type[0]:s.type;
 if(t==='object'){const o={};for(const k of s.required||[])o[k]=sample(d,(s.properties||{})[k],n+1);return o}
 if(t==='array')return [];if(t==='integer')return s.minimum||0;if(t==='boolean')return false;
 return s.format==='date-time'?new Date().toISOString():''}
async function call(o,out){out.textContent='...';let path=o.path,q=new URLSearchParams(),h={};
 for(const[p,i]of o.inputs){const v=i.value.trim();if(!v)continue;
  if(p.in==='path')path=path.replace('{'+p.name+'}',p.name==='key'?v:encodeURIComponent(v));
  else if(p.in==='query')q.set(p.name,v);else h[p.name]=v}
 const init={method:o.method,headers:h};if(o.body){h['Content-Type']='application/json';init.body=o.body.value}
 const url=path+(q.size?'?'+q:'');
 try{if(o.events){const s=new EventSource(url);out.textContent=url+'\\n';const show=e=>{out.textContent+=
   e.type+' '+e.lastEventId+' '+e.data+'\\n'};for(const n of o.events)s.addEventListener(n,show);
   s.addEventListener('closed',e=>{show(e);s.close()});return}
  const r=await fetch(url,init),t=await r.text();let shown=t;
  try{shown=JSON.stringify(JSON.parse(t),null,2)}catch{}
  out.textContent=o.method+' '+url+'\\n'+r.status+' '+r.headers.get('content-type')+
   '\\nX-Chain-Height: '+r.headers.get('x-chain-height')+'\\n\\n'+shown}
 catch(e){out.textContent=String(e)}}
function operation(d,path,method,op){const o={path,method:method.toUpperCase(),inputs:[]};
 const box=el('details',{},el('summary',{},el('b',{className:'m',textContent:o.method}),
  el('code',{textContent:path}),' '+op.summary));
 for(const p of op.parameters||[]){const i=el('input',{placeholder:(p.schema||{}).pattern||''});
  o.inputs.push([p,i]);box.append(el('label',{},p.name+' ',el('small',{textContent:p.in+' '+
  (p.description||(p.schema||{}).description||'')}),i))}
 const body=op.requestBody&&op.requestBody.content['application/json'];
 if(body){o.body=el('textarea',{value:JSON.stringify(sample(d,body.schema),null,2)});
  box.append(el('label',{},'body',o.body))}
 if(path==='/v1/stream')o.events=['block','transaction','vehicle.record','listing','order','payment','account',
  'governance'];
 const out=el('pre'),go=el('button',{type:'button',textContent:'Send',onclick:()=>call(o,out)});
 box.append(go,out,el('small',{textContent:'Errors: '+Object.entries(op.responses).filter(([s])=>s>=400)
  .map(([s,r])=>s+' '+r.description).join('; ')}));return box}
(async()=>{const d=await(await fetch('/openapi.json')).json();document.querySelector('h1').textContent=d.info.title;
 document.getElementById('about').textContent=d.info.description;const tags={};
 for(const[p,ms]of Object.entries(d.paths))for(const[m,op]of Object.entries(ms))
  (tags[op.tags[0]]??=[]).push(operation(d,p,m,op));
 const main=document.getElementById('calls');for(const[t,boxes]of Object.entries(tags))
  main.append(el('h2',{textContent:t}),...boxes)})();
"""


def _problem_rows() -> str:
    return "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{status}</td><td>{title}</td></tr>'
        for code, (status, title) in PROBLEMS.items()
    )


DOCS_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Vehicle chain: calls</title>'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    f'<style>{_STYLE}</style></head><body><h1>Vehicle chain</h1><p id="about"></p>'
    '<p>From <a href="/openapi.json">/openapi.json</a>.</p><div id="calls"></div>'
    f"<h2>Problem codes</h2><table>{_problem_rows()}</table><script>{_SCRIPT}</script></body></html>"
).encode()
