extension RunReport {
  /// Colours for light and dark, and nothing from elsewhere.
  static let stylesheet = """
    :root{--page:#fff;--card:#f6f7f9;--ink:#1b1f24;--soft:#5c6570;--faint:#e3e6ea;--rule:#c3c9d0;
    --c1:#2563c9;--c2:#c2570c;--c3:#12805c;--c4:#8b46c1;--c5:#b3261e;--c6:#6b7280;
    --cool:#2563c9;--warm:#c2410c;--mid:#eef0f2;--part:#8fb1e6;--bar:#dbe6f8}
    @media (prefers-color-scheme:dark){:root{--page:#14171b;--card:#1d2126;--ink:#e7eaee;
    --soft:#9aa4b0;--faint:#2a2f36;--rule:#48505a;--c1:#6ea8ff;--c2:#ffa45c;--c3:#4fcf9f;
    --c4:#c99bff;--c5:#ff8a80;--c6:#a3acb8;--cool:#5c9dff;--warm:#ff8b4d;--mid:#262b31;
    --part:#39598c;--bar:#22344f}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--page);color:var(--ink);
    font:15px/1.5 system-ui,-apple-system,"Segoe UI","Liberation Sans",sans-serif}
    main{max-width:1064px;margin:0 auto;padding:32px}
    h1{font-size:28px;line-height:1.2;margin:0}
    header p{margin:4px 0 24px;color:var(--soft)}
    h2{font-size:19px;margin:44px 0 14px;padding-bottom:6px;border-bottom:1px solid var(--faint)}
    h3{font-size:15px;margin:24px 0 8px}
    code{font:.92em ui-monospace,"DejaVu Sans Mono",monospace}
    .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:0}
    .tiles div{background:var(--card);border-radius:10px;padding:12px 16px}
    dt{color:var(--soft);font-size:13px}
    dd{margin:0;font-size:24px;font-weight:600;line-height:1.3}
    dd small{display:block;overflow-wrap:anywhere;font-size:12px;font-weight:400;color:var(--soft);line-height:1.4}
    .chart{margin:0 0 20px;max-width:var(--w);overflow-x:auto}
    figcaption{font-size:14px;margin-bottom:2px;display:flex;gap:.5em;align-items:baseline}
    figcaption span,.note{color:var(--soft);font-size:13px}
    figcaption output{margin-left:auto;font-size:12px;font-variant-numeric:tabular-nums;
    color:var(--soft);white-space:pre}
    .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));
    gap:8px 20px}
    svg{display:block;width:100%;min-width:calc(var(--w)*.7);height:auto;font-size:13px;fill:var(--ink)}
    path{fill:none}
    .grid{stroke:var(--faint)}.axis{stroke:var(--rule)}
    .cross{stroke:var(--soft);stroke-dasharray:2 3}
    .level{stroke:var(--soft);stroke-dasharray:5 4}
    .tick{fill:var(--soft);font-size:12px}
    .label{font-size:13px}.strong{font-weight:600;fill:var(--ink)}
    .name{font-weight:600}.value{fill:var(--ink);font-variant-numeric:tabular-nums}
    .raw{stroke-width:1;opacity:.32;stroke-linejoin:round}
    .line{stroke-width:2;stroke-linejoin:round}
    path.c1{stroke:var(--c1)}path.c2{stroke:var(--c2)}path.c3{stroke:var(--c3)}
    path.c4{stroke:var(--c4)}path.c5{stroke:var(--c5)}path.c6{stroke:var(--c6)}
    tspan.c1,circle.c1{fill:var(--c1)}tspan.c2,circle.c2{fill:var(--c2)}
    tspan.c3,circle.c3{fill:var(--c3)}tspan.c4,circle.c4{fill:var(--c4)}
    tspan.c5,circle.c5{fill:var(--c5)}tspan.c6,circle.c6{fill:var(--c6)}
    rect.part{fill:var(--part)}rect.planned{fill:var(--c1)}rect.measured{fill:var(--c2)}
    .scale{display:flex;align-items:center;gap:8px;margin:4px 0;font-size:12px;color:var(--soft)}
    .scale i{width:200px;height:10px;border-radius:2px;
    background:linear-gradient(in oklab 90deg,var(--cool),var(--mid),var(--warm))}
    .wide{overflow-x:auto}
    table{border-collapse:collapse;font-variant-numeric:tabular-nums}
    th{text-align:left;font-weight:500}
    .scores th,.scores td{padding:6px 14px 6px 10px;white-space:nowrap}
    .scores thead th{color:var(--soft);font-size:13px}
    .scores tbody tr{border-top:1px solid var(--faint)}
    .scores tbody tr.first{border-top-color:var(--rule)}
    .scores td{background:linear-gradient(90deg,var(--bar) var(--share,0%),transparent 0)
    left center/94% 70% no-repeat;min-width:140px}
    td small{color:var(--soft)}
    .cards{columns:2 400px;column-gap:36px}
    .cards table{break-inside:avoid;width:100%;margin-bottom:22px;font-size:13.5px}
    caption{text-align:left;font-weight:600;padding-bottom:4px}
    .cards tr{border-top:1px solid var(--faint)}
    .cards th{color:var(--soft);font-weight:400;padding:3px 16px 3px 0;vertical-align:top;
    white-space:nowrap}
    .cards td{text-align:right;overflow-wrap:anywhere}
    @media (max-width:600px){main{padding:18px}}
    @media print{main{padding:0}section{break-inside:avoid}}
    """

  /// Shows the values under the pointer above a chart.
  static let script = """
    for(const svg of document.querySelectorAll('svg[data-values]')){
    const {names,rows}=JSON.parse(svg.dataset.values),[l,r,t,b]=svg.dataset.x.split(' ').map(Number),
    cross=svg.querySelector('.cross'),out=svg.parentNode.querySelector('output');
    svg.addEventListener('pointermove',e=>{
    const x=new DOMPoint(e.clientX,e.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    if(x<l-6||x>r+6||!rows.length){leave();return}
    let best=rows[0];for(const row of rows)if(Math.abs(row[0]-x)<Math.abs(best[0]-x))best=row;
    cross.setAttribute('d',`M${best[0]} ${t}V${b}`);
    out.textContent='step '+best[1]+names.map((n,i)=>best[i+2]===null?'':'   '+(names.length>1?n+' ':'')
    +best[i+2]).join('')});
    const leave=()=>{cross.setAttribute('d','');out.textContent=''};
    svg.addEventListener('pointerleave',leave)}
    """
}
