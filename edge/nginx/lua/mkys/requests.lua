-- Requests that a service is answering: when their route is withdrawn, their visitor's connection ends within about a second, whether
-- data flows up, down or not at all. Websockets look at their routes themselves (websocket.lua).
local routes = require "mkys.routes"
local socket = require "mkys.socket"

local _M = {}

-- How often routes are looked at, in seconds.
local LOOK = 1
-- By the number of their connection: a connection has one request at a time.
local live = {}

function _M.enter(route)
    local var = ngx.var
    live[var.connection] = {
        route = route,
        visitor = var.realip_remote_addr .. " " .. var.realip_remote_port .. " " .. var.server_port,
    }
end

function _M.leave()
    live[ngx.var.connection] = nil
end

local function look()
    local withdrawn
    for _, request in pairs(live) do
        if not routes.holds(request.route) then
            withdrawn = withdrawn or {}
            withdrawn[request.visitor] = true
        end
    end
    if withdrawn then
        socket.shut(withdrawn, _M.most_files)
    end
end

-- When a worker starts.
function _M.start_worker()
    local ok, why = ngx.timer.every(LOOK, function(ends)
        look()
        -- a worker that ends has no timers any more; what it still answers is looked at by this last one
        while ends and next(live) do
            ngx.sleep(LOOK)
            look()
        end
    end)
    if not ok then
        ngx.log(ngx.ERR, "no timer: ", why)
    end
end

return _M
